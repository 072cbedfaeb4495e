-- In how many of its tries the worker ended.
alter table jobs add column crashes bigint not null default 0;
