{{ config(unique_key='customer_id') }}
SELECT s.customer_id, s.customer_name, s.has_loan_flag, count(*) AS total_accounts_count,
       sum(a.original_balance_amount) AS total_balance_amount,
       sum(a.annual_interest_amount) AS total_annual_interest_amount, now()::TIMESTAMP AS calculated_at
FROM {{ ref('savings_accounts') }} AS s JOIN {{ ref('account_summary') }} AS a ON a.account_id = s.account_id
{% if is_incremental() %}
WHERE s.customer_id IN (
  SELECT customer_id FROM {{ ref('savings_accounts') }} WHERE changed_at > (SELECT max(calculated_at) FROM {{ this }})
)
{% endif %}
GROUP BY s.customer_id, s.customer_name, s.has_loan_flag
