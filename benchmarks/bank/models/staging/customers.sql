/*---
description: Customers under the names we use. Cleaned, nothing calculated, nobody left out.
owner: data-platform
---*/
SELECT
  customer_id,
  tidy(name) AS customer_name,
  yes_or_no(has_loan) AS has_loan_flag,
  processing_ts AS loaded_at      -- when this version of the row was loaded
FROM source.customers
