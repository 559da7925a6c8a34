{% snapshot snap_customers %}
{{ config(unique_key='customer_id') }}
SELECT * FROM {{ ref('stg_customers') }}
{% endsnapshot %}
