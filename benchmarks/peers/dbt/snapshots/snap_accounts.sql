{% snapshot snap_accounts %}
{{ config(unique_key='account_id') }}
SELECT * FROM {{ ref('stg_accounts') }}
{% endsnapshot %}
