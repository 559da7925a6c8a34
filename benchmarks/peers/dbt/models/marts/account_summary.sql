{{ config(unique_key='account_id') }}
SELECT account_id, customer_id, balance_amount AS original_balance_amount, rate AS interest_rate_pct,
       round(balance_amount * rate * 0.01, 2) AS annual_interest_amount,
       balance_amount + round(balance_amount * rate * 0.01, 2) AS new_balance_amount,
       now()::TIMESTAMP AS calculated_at
FROM (
  SELECT account_id, customer_id, balance_amount,
         CASE WHEN balance_amount < 10000 THEN 1.0 WHEN balance_amount < 20000 THEN 1.5 ELSE 2.0 END
           + CASE WHEN has_loan_flag THEN 0.5 ELSE 0.0 END AS rate
  FROM {{ ref('savings_accounts') }}
  {% if is_incremental() %} WHERE changed_at > (SELECT max(calculated_at) FROM {{ this }}) {% endif %}
)
