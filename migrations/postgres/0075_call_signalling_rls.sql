alter table call_signalling enable row level security;
alter table call_signalling force row level security;
create policy call_signalling_tenant on call_signalling
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));
