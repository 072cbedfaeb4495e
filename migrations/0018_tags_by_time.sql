-- When the tagged call began: the log of a tag is read in its order. The engines' own migrations fill it.
alter table call_tags add column started_at bigint not null default 0;
drop index call_tags_by_tag;
create index call_tags_by_time on call_tags (tenant_id, tag, started_at, call_id);
