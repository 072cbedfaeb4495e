alter table trunk_health enable row level security;
alter table trunk_health force row level security;
create policy trunk_health_tenant on trunk_health
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));
