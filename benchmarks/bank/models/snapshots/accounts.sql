/*---
description: Every version of every account. What was the balance on the day of the audit?
owner: data-platform
materialization: history
key: account_id
history: {by: updated_at, column: loaded_at}      # a version begins when loaded_at says so
---*/
SELECT account_id, customer_id, balance_amount, account_type, loaded_at
FROM staging.accounts
