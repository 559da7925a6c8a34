/*---
description: One row per hour, product and customer. Dates are ISO dates, and only rows that can be trusted count.
owner: sales-analytics
tags: [hourly]
key: [order_hour, product_id, customer_id]
---*/
WITH orders AS (
  -- raw.orders holds the current version of each order, once: exact copies and superseded duplicates ended there.
  -- The five internal columns (internal_flag, legacy_id, system_generated_ref, etl_batch_code, source_system) are not
  -- named here, and so end here.
  SELECT
    order_id,
    customer_id,
    product_id,
    quantity,
    revenue,
    -- 17/11/2026 14:05:09 becomes a timestamp, 31/02/2026 becomes NULL
    try_strptime(order_date, '%d/%m/%Y %H:%M:%S') AS ordered_at
  FROM raw.orders
)
SELECT
  date_trunc('hour', ordered_at) AS order_hour,
  CAST(ordered_at AS DATE) AS order_date,
  product_id,
  customer_id,
  sum(quantity) AS quantity,
  sum(revenue) AS revenue,
  count(DISTINCT order_id) AS order_count
FROM orders
WHERE ordered_at IS NOT NULL          -- a broken date
  AND product_id IS NOT NULL          -- a required field is missing
  AND customer_id IS NOT NULL
  AND revenue >= $minimum_revenue     -- refunds booked as orders
GROUP BY ALL
