/*---
description: What each savings account earns in a year.
owner: finance
key: account_id
columns: [account_id, customer_id, original_balance_amount, interest_rate_pct, annual_interest_amount,
          new_balance_amount, calculated_at]
checks:
  - unique: account_id
  - not_null: [account_id, customer_id, original_balance_amount, interest_rate_pct, annual_interest_amount,
               new_balance_amount, calculated_at]
  - range: {column: interest_rate_pct, min: 1, max: 2.5}
  - positive: {columns: [original_balance_amount, annual_interest_amount], zero: true}
  - expression: {expression: new_balance_amount = original_balance_amount + annual_interest_amount, name: sums add up}
  - relationships: {columns: [account_id, customer_id], to: intermediate.savings_accounts}
  - reconciliation: {column: original_balance_amount, with: intermediate.savings_accounts, field: balance_amount}
  - recency: {column: calculated_at, within: 7 days, on_fail: warn}
---*/
-- calculated_at is when the row came to say what it says: a row that comes out the same keeps it.
WITH rated AS (
  SELECT
    account_id,
    customer_id,
    balance_amount,
    CASE WHEN balance_amount < 10000 THEN 1.0 WHEN balance_amount < 20000 THEN 1.5 ELSE 2.0 END
      + CASE WHEN has_loan_flag THEN 0.5 ELSE 0.0 END AS rate
  FROM intermediate.savings_accounts
)
SELECT
  account_id,
  customer_id,
  balance_amount AS original_balance_amount,
  rate AS interest_rate_pct,
  -- all of this is DECIMAL: half a cent is half a cent, and rounds up
  round(balance_amount * rate * 0.01, 2) AS annual_interest_amount,
  balance_amount + round(balance_amount * rate * 0.01, 2) AS new_balance_amount,
  $run_ts AS calculated_at
FROM rated
