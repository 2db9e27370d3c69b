# A budget of the project: an alert before it is spent. Nothing is switched off by it.

resource "google_billing_budget" "this" {
  for_each = var.budget == null ? {} : { this = var.budget }

  billing_account = each.value.billing_account
  display_name    = "Almanac: ${var.project_id}"

  budget_filter {
    projects = ["projects/${local.number}"]
  }
  amount {
    specified_amount {
      currency_code = each.value.currency # that of the billing account, or the API refuses it
      units         = tostring(each.value.amount)
    }
  }
  dynamic "threshold_rules" {
    for_each = each.value.thresholds
    content {
      threshold_percent = threshold_rules.value
    }
  }
  threshold_rules {
    threshold_percent = 1
    spend_basis       = "FORECASTED_SPEND"
  }
  all_updates_rule {
    monitoring_notification_channels = slice(local.channels, 0, min(5, length(local.channels))) # Google takes five
  }

  depends_on = [terraform_data.apis]
}
