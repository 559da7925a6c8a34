/*---
relation: marts.customer_profile
description: What a customer earns is what the customer's accounts earn, to the cent.
dimension: accuracy
key: customer_id
---*/
SELECT customer_id, profile.total_annual_interest_amount, sum(summary.annual_interest_amount) AS of_accounts
FROM marts.customer_profile AS profile LEFT JOIN marts.account_summary AS summary USING (customer_id)
GROUP BY ALL
HAVING profile.total_annual_interest_amount IS DISTINCT FROM sum(summary.annual_interest_amount)
