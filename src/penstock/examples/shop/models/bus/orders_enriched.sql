/*---
description: The hourly sales with everything one wants to know about what was sold and who bought it.
owner: sales-analytics
tags: [hourly]
key: [order_hour, product_id, customer_id]
---*/
-- raw.products and raw.customers hold the current version of each row. Joining raw.products_history instead would
-- give an order once per version of its product.
-- LEFT JOIN: a sale of a product the catalogue does not know is still a sale.
SELECT
  hourly.order_hour,
  hourly.order_date,
  hourly.product_id,
  products.product_name,
  products.category,
  hourly.customer_id,
  customers.customer_name,
  customers.region AS customer_region,
  customers.account_tier,
  hourly.quantity,
  hourly.revenue,
  hourly.order_count
FROM stg.orders_hourly AS hourly
LEFT JOIN raw.products AS products ON products.product_id = hourly.product_id
LEFT JOIN raw.customers AS customers ON customers.customer_id = hourly.customer_id
