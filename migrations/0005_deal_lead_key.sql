-- A deal names the lead it came from, and a lead the deal it became: the tables' declarations cannot name each other.
ALTER TABLE "deals" ADD CONSTRAINT "deals_lead_fkey" FOREIGN KEY ("workspace_id","lead_id") REFERENCES "public"."leads"("workspace_id","id") ON DELETE no action ON UPDATE no action;
