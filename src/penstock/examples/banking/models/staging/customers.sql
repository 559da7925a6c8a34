/*---
description: Customers under the names we use, those of whom enough is known. Cleaned, nothing calculated.
owner: data-platform
materialization: auto     # a view would show new rows before anyone could judge them
key: customer_id
pii: customer_name
checks:
  - unique: customer_id
  - not_null: [customer_id, loaded_at]
  - positive: customer_id
  - not_null: {column: customer_name, name: there is a name, on_fail: quarantine}
  - not_null: {column: has_loan_flag, name: loan is yes or no, on_fail: quarantine}
quarantine: {max: 50%}
---*/
SELECT
  customer_id,
  tidy(name) AS customer_name,
  yes_or_no(has_loan) AS has_loan_flag,
  processing_ts AS loaded_at      -- when this version of the row was loaded
FROM source.customers
