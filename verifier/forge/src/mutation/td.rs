//! What the TD is.

use super::quote::version_5;
use super::{Row, tdx};
use crate::td_body::Layout;

pub(super) const ROWS: &[Row] = &[
    tdx("td-debug", "debug", |c| c.quote.body.td_attributes |= 1),
    tdx("td-debug", "another bit of the group that makes a TD untrusted", |c| {
        c.quote.body.td_attributes |= 1 << 4;
    }),
    tdx("td-attributes", "MIGRATABLE", |c| c.quote.body.td_attributes |= 1 << 29),
    tdx("td-attributes", "PERFMON", |c| c.quote.body.td_attributes |= 1 << 63),
    tdx("td-attributes", "reserved bit 9", |c| c.quote.body.td_attributes |= 1 << 9),
    tdx("td-attributes", "reserved bit 23", |c| c.quote.body.td_attributes |= 1 << 23),
    tdx("td-attributes", "reserved bit 32", |c| c.quote.body.td_attributes |= 1 << 32),
    tdx("td-attributes", "reserved bit 61", |c| c.quote.body.td_attributes |= 1 << 61),
    tdx("td-sept-ve-disable", "not set", |c| c.quote.body.td_attributes = 0),
    tdx("td-xfam", "a reserved bit", |c| c.quote.body.xfam |= 1 << 63),
    tdx("td-xfam", "x87 off", |c| c.quote.body.xfam &= !1),
    tdx("td-xfam", "SSE off", |c| c.quote.body.xfam &= !2),
    tdx("mr-seam", "not one of the policy's", |c| c.policy.mr_seam = vec![[9; 48]]),
    tdx("mr-config-id", "not zero", |c| c.quote.body.mr_config_id = [9; 48]),
    tdx("mr-config-id", "not the policy's", |c| c.policy.mr_config_id = "09".repeat(48)),
    tdx("mr-owner", "not zero", |c| c.quote.body.mr_owner = [9; 48]),
    tdx("mr-owner-config", "not zero", |c| c.quote.body.mr_owner_config = [9; 48]),
    tdx("service-td", "bound to a TD 1.5", |c| {
        version_5(c, Layout::Td15);
        c.quote.body.mr_service_td = [9; 48];
    }),
    tdx("service-td", "bound to a TD 1.5ex", |c| {
        version_5(c, Layout::Td15Ex);
        c.quote.body.mr_service_td = [9; 48];
    }),
    tdx("service-td", "bound to a TD 1.5ex after its creation", |c| {
        version_5(c, Layout::Td15Ex);
        c.quote.body.extended.current_service_td_hash = [9; 48];
    }),
    tdx("platform-allowed", "not one of the policy's", |c| c.policy.platforms = vec![[9; 32]]),
];
