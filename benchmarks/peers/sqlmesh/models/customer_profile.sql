MODEL (
  name marts.customer_profile,
  kind INCREMENTAL_BY_UNIQUE_KEY (unique_key customer_id),
  audits (unique_values(columns := (customer_id)), not_null(columns := (customer_id)))
);
SELECT s.customer_id, s.customer_name, s.has_loan_flag, count(*) AS total_accounts_count,
       sum(a.original_balance_amount) AS total_balance_amount,
       sum(a.annual_interest_amount) AS total_annual_interest_amount, @execution_dt::TIMESTAMP AS calculated_at
FROM intermediate.savings_accounts AS s JOIN marts.account_summary AS a ON a.account_id = s.account_id
WHERE s.customer_id IN (
  SELECT customer_id FROM intermediate.savings_accounts WHERE changed_at >= @execution_dt::TIMESTAMP - INTERVAL 1 DAY
)
GROUP BY s.customer_id, s.customer_name, s.has_loan_flag
