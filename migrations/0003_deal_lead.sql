ALTER TABLE "deals" ADD COLUMN "lead_id" uuid;--> statement-breakpoint
CREATE INDEX "deals_lead" ON "deals" USING btree ("workspace_id","lead_id","created_at","id");