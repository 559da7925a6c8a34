/*---
description: Every version of every account. What was the balance on the day of the audit?
owner: data-platform
materialization: history
key: account_id
history: {by: updated_at, column: loaded_at}      # a version begins when loaded_at says so
checks:
  - no_overlap: {column: account_id}
  - unique: {columns: account_id, where: is_current, name: one version is current}
  - not_null: [account_id, valid_from, is_current]
  - expression: {expression: is_current = (valid_to IS NULL), name: what has ended is not current}
---*/
SELECT account_id, customer_id, balance_amount, account_type, loaded_at
FROM staging.accounts
