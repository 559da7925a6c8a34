/*---
description: What each team spends, month by month. This is what others see.
owner: you
columns: [month, team, expenses, amount]
---*/
SELECT month, team, expenses, amount
FROM bus.expenses_monthly
