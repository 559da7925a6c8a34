/*---
description: Every version of every customer, and when it held.
owner: data-platform
materialization: history
key: customer_id
history: {by: changes}      # a version begins when one of the columns below differs
pii: customer_name
checks:
  - no_overlap: {column: customer_id}
  - unique: {columns: customer_id, where: is_current, name: one version is current}
  - not_null: [customer_id, valid_from, is_current]
  - expression: {expression: is_current = (valid_to IS NULL), name: what has ended is not current}
---*/
-- loaded_at is not among them: `Yes` corrected to `YES` arrives anew and says nothing new.
SELECT customer_id, customer_name, has_loan_flag
FROM staging.customers
