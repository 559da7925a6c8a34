/*---
description: Every version of every customer, and when it held.
owner: data-platform
materialization: history
key: customer_id
history: {by: changes}      # a version begins when one of the columns below differs
---*/
-- loaded_at is not among them: `Yes` corrected to `YES` arrives anew and says nothing new.
SELECT customer_id, customer_name, has_loan_flag
FROM staging.customers
