alter table erasures enable row level security;
alter table erasures force row level security;
create policy erasures_tenant on erasures
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));
