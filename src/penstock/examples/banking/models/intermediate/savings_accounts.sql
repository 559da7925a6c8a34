/*---
description: Savings accounts with a balance, and whose they are.
owner: data-platform
key: account_id
pii: customer_name
checks:
  - unique: account_id
  - not_null: [account_id, customer_id, customer_name, has_loan_flag, balance_amount]
  - range: {column: balance_amount, min: 0}
  - relationships: {column: account_id, to: staging.accounts}
  - relationships: {column: customer_id, to: staging.customers}
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
