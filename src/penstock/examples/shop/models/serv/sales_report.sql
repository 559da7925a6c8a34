/*---
description: The single source of truth of the sales dashboard.
owner: sales-analytics
tags: [hourly]
materialization: append
key: [order_hour, product_id, customer_id]
columns: [order_hour, order_date, product_id, product_name, category, customer_id, customer_region, account_tier,
          quantity, revenue, order_count]
checks:
  - not_null: [order_hour, product_id, customer_id]
  - range: {column: revenue, min: 0}
  - positive: [quantity, order_count]
  - not_null: {column: product_name, on_fail: warn, description: A sale of a product the catalogue does not know.}
---*/
-- append: hours that are new are added, an hour that a late or corrected order changed is corrected, and no row is ever
-- taken away. `columns` is the contract with consumers: another column list is an error, not a surprise.
SELECT
  order_hour,
  order_date,
  product_id,
  product_name,
  category,
  customer_id,
  customer_region,
  account_tier,
  quantity,
  revenue,
  order_count
FROM bus.orders_enriched
