/*---
description: Expenses by month and team.
owner: you
---*/
SELECT
  CAST(date_trunc('month', spent_on) AS DATE) AS month,
  team,
  count(*) AS expenses,
  sum(amount) AS amount
FROM stg.expenses
GROUP BY ALL
