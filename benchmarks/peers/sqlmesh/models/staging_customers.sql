MODEL (name staging.customers, kind VIEW);
SELECT TRY_CAST(CustomerID AS BIGINT) AS customer_id, nullif(trim(Name), '') AS customer_name,
       CASE WHEN lower(trim(HasLoan)) IN ('yes', 'y', 'true', 't', '1') THEN true
            WHEN lower(trim(HasLoan)) IN ('no', 'n', 'false', 'f', '0') THEN false END AS has_loan_flag
FROM source.customers
