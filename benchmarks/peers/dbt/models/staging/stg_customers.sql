SELECT TRY_CAST(CustomerID AS BIGINT) AS customer_id, nullif(trim(Name), '') AS customer_name,
       {{ yes_or_no('HasLoan') }} AS has_loan_flag
FROM {{ ref('customers') }}
