alter table consents enable row level security;
alter table consents force row level security;
create policy consents_tenant on consents
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));
