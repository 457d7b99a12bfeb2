DROP INDEX "activities_due";--> statement-breakpoint
DROP INDEX "activities_todo";--> statement-breakpoint
CREATE INDEX "activities_todo_all" ON "activities" USING btree ("workspace_id",coalesce(due_at, 'infinity'::timestamptz),"id") WHERE status = 'planned' and deleted_at is null;--> statement-breakpoint
CREATE INDEX "activities_due" ON "activities" USING btree ("workspace_id",coalesce(due_at, 'infinity'::timestamptz),"id");--> statement-breakpoint
CREATE INDEX "activities_todo" ON "activities" USING btree ("workspace_id","owner_id",coalesce(due_at, 'infinity'::timestamptz),"id") WHERE status = 'planned' and deleted_at is null;--> statement-breakpoint
ALTER TABLE "activities" ADD CONSTRAINT "activities_completed" CHECK ((status = 'completed') = (completed_at is not null));