/*---
description: What each customer has in savings, and what that earns.
owner: finance
key: customer_id
columns: [customer_id, customer_name, has_loan_flag, total_accounts_count, total_balance_amount,
          total_annual_interest_amount, calculated_at]
---*/
SELECT
  accounts.customer_id,
  accounts.customer_name,
  accounts.has_loan_flag,
  count(*) AS total_accounts_count,
  sum(summary.original_balance_amount) AS total_balance_amount,
  sum(summary.annual_interest_amount) AS total_annual_interest_amount,
  $run_ts AS calculated_at
FROM intermediate.savings_accounts AS accounts
JOIN marts.account_summary AS summary ON summary.account_id = accounts.account_id
GROUP BY accounts.customer_id, accounts.customer_name, accounts.has_loan_flag
