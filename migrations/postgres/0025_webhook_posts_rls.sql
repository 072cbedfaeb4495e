alter table webhook_posts enable row level security;
alter table webhook_posts force row level security;
create policy webhook_posts_tenant on webhook_posts
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));
