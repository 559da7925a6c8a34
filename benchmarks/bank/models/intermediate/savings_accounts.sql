/*---
description: Savings accounts with a balance, and whose they are.
owner: data-platform
key: account_id
---*/
-- An account of a customer we do not know waits here until the customer arrives.
SELECT
  accounts.account_id,
  accounts.customer_id,
  customers.customer_name,
  customers.has_loan_flag,
  accounts.balance_amount
FROM snapshots.accounts AS accounts
JOIN snapshots.customers AS customers ON customers.customer_id = accounts.customer_id
WHERE accounts.is_current
  AND customers.is_current
  AND accounts.account_type = 'savings'
  AND accounts.balance_amount IS NOT NULL
