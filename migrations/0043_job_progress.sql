-- How much of a running job is done, and who asked it to stop.
alter table jobs add column percent bigint not null default 0;
alter table jobs add column stopped_by text;
