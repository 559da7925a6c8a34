/*---
description: Accounts under the names we use. What is no number is NULL.
owner: data-platform
---*/
SELECT
  account_id,
  TRY_CAST(tidy(customer_id) AS BIGINT) AS customer_id,
  TRY_CAST(tidy(balance) AS DECIMAL(12, 2)) AS balance_amount,
  lower(tidy(account_type)) AS account_type,
  processing_ts AS loaded_at
FROM source.accounts
