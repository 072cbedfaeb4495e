alter table provider_days enable row level security;
alter table provider_days force row level security;
create policy provider_days_tenant on provider_days
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));
