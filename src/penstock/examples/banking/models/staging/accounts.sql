/*---
description: Accounts under the names we use, those that can be right.
owner: data-platform
materialization: auto     # a view would show new rows before anyone could judge them
key: account_id
checks:
  - unique: account_id
  - not_null: [account_id, customer_id, balance_amount, account_type, loaded_at]
  - positive: customer_id
  - accepted_values: {column: account_type, values: [savings, checking]}
  - range: {column: balance_amount, min: 0, name: balance is not negative, on_fail: quarantine}
  - relationships: {column: customer_id, to: staging.customers, name: customer is known, on_fail: warn}
quarantine: {max: 50%}
---*/
SELECT
  account_id,
  TRY_CAST(tidy(customer_id) AS BIGINT) AS customer_id,
  TRY_CAST(tidy(balance) AS DECIMAL(12, 2)) AS balance_amount,
  lower(tidy(account_type)) AS account_type,
  processing_ts AS loaded_at
FROM source.accounts
