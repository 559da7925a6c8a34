SELECT a.account_id, a.customer_id, c.customer_name, c.has_loan_flag, a.balance_amount,
       greatest(a.dbt_valid_from, c.dbt_valid_from) AS changed_at
FROM {{ ref('snap_accounts') }} AS a JOIN {{ ref('snap_customers') }} AS c ON c.customer_id = a.customer_id
WHERE a.dbt_valid_to IS NULL AND c.dbt_valid_to IS NULL AND a.account_type = 'savings' AND a.balance_amount IS NOT NULL
