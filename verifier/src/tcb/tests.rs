use super::Status;

const ALL: [Status; 7] = [
    Status::UpToDate,
    Status::SwHardeningNeeded,
    Status::ConfigurationNeeded,
    Status::ConfigurationAndSwHardeningNeeded,
    Status::OutOfDate,
    Status::OutOfDateConfigurationNeeded,
    Status::Revoked,
];

/// A module that is fine must not make a platform fine that is not (another verifier replaced one
/// status by the other).
#[test]
fn statuses_are_merged_and_not_replaced() {
    for status in ALL {
        assert_eq!(Status::UpToDate.merge(status), status);
        assert_eq!(status.merge(Status::UpToDate), status);
        assert_eq!(status.merge(status), status);
        assert_eq!(status.merge(Status::Revoked), Status::Revoked);
        for other in ALL {
            assert_eq!(status.merge(other), other.merge(status));
            assert!(status.merge(other) != Status::UpToDate || status == other);
        }
    }
    assert_eq!(Status::OutOfDate.merge(Status::ConfigurationNeeded), Status::OutOfDateConfigurationNeeded);
    assert_eq!(
        Status::ConfigurationAndSwHardeningNeeded.merge(Status::OutOfDate),
        Status::OutOfDateConfigurationNeeded
    );
    assert_eq!(Status::OutOfDate.merge(Status::SwHardeningNeeded), Status::OutOfDate);
    assert_eq!(
        Status::ConfigurationNeeded.merge(Status::SwHardeningNeeded),
        Status::ConfigurationAndSwHardeningNeeded
    );
}

#[test]
fn words_are_intels() {
    for status in ALL {
        let read: Status = serde_json::from_str(&format!("\"{status}\"")).unwrap();
        assert_eq!(read, status);
    }
}

mod levels {
    use serde_json::{Value, json};

    use crate::pck_extension::PckExtension;
    use crate::quote::{Current, TdReport};
    use crate::tcb::{Tcb, TcbError, module, platform};
    use crate::tcb_info::TcbInfo;

    fn components(svns: [u8; 16]) -> Value {
        svns.iter().map(|svn| json!({ "svn": svn })).collect()
    }

    fn level(sgx: u8, pce_svn: u16, tdx: [u8; 3], status: &str) -> Value {
        let mut full = [0; 16];
        full[..3].copy_from_slice(&tdx);
        json!({
            "tcb": {
                "sgxtcbcomponents": components([sgx; 16]), "pcesvn": pce_svn, "tdxtcbcomponents": components(full),
            },
            "tcbDate": "2025-01-01T00:00:00Z",
            "tcbStatus": status,
        })
    }

    fn info(levels: &[Value]) -> TcbInfo {
        let isv = |svn: u16, status: &str| json!({ "tcb": { "isvsvn": svn }, "tcbDate": "2024-01-01T00:00:00Z", "tcbStatus": status });
        let module = |id: &str, levels: Value| {
            json!({
                "id": id, "mrsigner": "00".repeat(48), "attributes": "00".repeat(8),
                "attributesMask": "FF".repeat(8), "tcbLevels": levels,
            })
        };
        let document = json!({
            "id": "TDX", "version": 3, "issueDate": "2025-01-01T00:00:00Z",
            "nextUpdate": "2025-02-01T00:00:00Z", "fmspc": "00806F050000", "pceId": "0000", "tcbType": 0,
            "tcbEvaluationDataNumber": 17,
            "tdxModule": { "mrsigner": "00".repeat(48), "attributes": "00".repeat(8), "attributesMask": "FF".repeat(8) },
            "tdxModuleIdentities": [
                module("TDX_01", json!([isv(2, "OutOfDate"), isv(6, "UpToDate")])),
                module("TDX_0a", json!([isv(1, "UpToDate")])),
            ],
            "tcbLevels": levels,
        });
        TcbInfo::parse(&document.to_string()).unwrap()
    }

    fn svn(first: [u8; 3]) -> [u8; 16] {
        let mut svn = [0; 16];
        svn[..3].copy_from_slice(&first);
        svn
    }

    fn report<'a>(tee_tcb_svn: &'a [u8; 16], current: Option<&'a [u8; 16]>) -> TdReport<'a> {
        TdReport {
            tee_tcb_svn,
            mr_seam: &[0; 48],
            mr_signer_seam: &[0; 48],
            seam_attributes: &[0; 8],
            td_attributes: &[0; 8],
            xfam: &[0; 8],
            mr_td: &[0; 48],
            mr_config_id: &[0; 48],
            mr_owner: &[0; 48],
            mr_owner_config: &[0; 48],
            rtmr: [&[0; 48]; 4],
            report_data: &[0; 64],
            current: current.map(|tee_tcb_svn| Current { tee_tcb_svn, mr_service_td: &[0; 48] }),
            service_td: None,
        }
    }

    fn pck(sgx: u8, pce_svn: u16) -> PckExtension {
        PckExtension {
            ppid: [0; 16],
            sgx_components: [sgx; 16],
            pce_svn,
            cpu_svn: [sgx; 16],
            pce_id: [0; 2],
            fmspc: [0; 6],
            sgx_type: 0,
        }
    }

    fn status(info: &TcbInfo, pck: &PckExtension, svn: &[u8; 16]) -> Option<&'static str> {
        platform(info, pck, &report(svn, None)).ok().map(|(level, _)| level.standing.status.word())
    }

    #[test]
    fn the_highest_level_reached_counts_in_whatever_order_they_stand() {
        let high = level(5, 11, [5, 0, 5], "UpToDate");
        let middle = level(5, 5, [5, 0, 5], "SWHardeningNeeded");
        let low = level(2, 5, [3, 0, 2], "OutOfDate");
        for levels in [[&low, &middle, &high], [&middle, &high, &low], [&high, &low, &middle]] {
            let info = info(&levels.map(Clone::clone));
            assert_eq!(status(&info, &pck(5, 11), &svn([5, 0, 5])), Some("UpToDate"));
            assert_eq!(status(&info, &pck(9, 12), &svn([9, 0, 9])), Some("UpToDate"));
            assert_eq!(status(&info, &pck(5, 10), &svn([5, 0, 5])), Some("SWHardeningNeeded"));
            assert_eq!(status(&info, &pck(4, 11), &svn([5, 0, 5])), Some("OutOfDate"));
            assert_eq!(status(&info, &pck(5, 11), &svn([4, 0, 5])), Some("OutOfDate"));
            assert_eq!(status(&info, &pck(1, 11), &svn([5, 0, 5])), None);
            assert_eq!(status(&info, &pck(5, 4), &svn([5, 0, 5])), None);
        }
    }

    #[test]
    fn one_component_below_is_below() {
        let info = info(&[level(2, 5, [3, 0, 2], "UpToDate")]);
        for at in 0..16 {
            let mut pck = pck(2, 5);
            pck.sgx_components[at] = 1;
            assert_eq!(status(&info, &pck, &svn([3, 0, 2])), None, "{at}");
        }
    }

    #[test]
    fn a_module_version_leaves_the_first_two_components_to_its_identity() {
        let info = info(&[level(2, 5, [5, 0, 2], "UpToDate")]);
        assert_eq!(status(&info, &pck(2, 5), &svn([4, 0, 2])), None);
        assert_eq!(status(&info, &pck(2, 5), &svn([4, 1, 2])), Some("UpToDate"));
        assert_eq!(status(&info, &pck(2, 5), &svn([4, 1, 1])), None);
    }

    #[test]
    fn modules_are_those_that_tcb_info_knows() {
        let info = info(&[]);
        let level = |first| {
            let svn = svn(first);
            module(&info, &report(&svn, None)).map(|(level, _)| level.map(|l| l.standing.status.word()))
        };
        assert_eq!(level([0, 0, 0]), Ok(None));
        assert_eq!(level([6, 1, 0]), Ok(Some("UpToDate")));
        assert_eq!(level([5, 1, 0]), Ok(Some("OutOfDate")));
        assert_eq!(level([1, 1, 0]), Err(TcbError::NoModuleLevel(1)));
        assert_eq!(level([1, 10, 0]), Ok(Some("UpToDate")));
        assert_eq!(level([9, 2, 0]), Err(TcbError::UnknownModule(2)));
    }

    #[test]
    fn another_signer_or_attribute_is_another_module() {
        let info = info(&[]);
        let svn = svn([6, 1, 0]);
        let theirs = TdReport { mr_signer_seam: &[1; 48], ..report(&svn, None) };
        assert!(matches!(module(&info, &theirs), Err(TcbError::MrSigner(_))));
        for attributes in [[1, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0x80]] {
            let theirs = TdReport { seam_attributes: &attributes, ..report(&svn, None) };
            assert!(matches!(module(&info, &theirs), Err(TcbError::Attributes { .. })));
        }
    }

    /// TDX 1.5: a module that is updated under a running TD must be known, and counts as well.
    #[test]
    fn the_current_module_counts_as_well() {
        let info = info(&[level(2, 5, [5, 0, 2], "UpToDate")]);
        let (launch, now) = (svn([6, 1, 2]), svn([5, 1, 2]));
        let (first, second) = module(&info, &report(&launch, Some(&now))).unwrap();
        let (first, second) = (&first.unwrap().standing, &second.unwrap().standing);
        assert_eq!(Tcb::merge(first, [second]).status.word(), "OutOfDate");
        assert!(module(&info, &report(&launch, Some(&svn([6, 3, 2])))).is_err());
        let old = svn([6, 1, 1]);
        let error = platform(&info, &pck(2, 5), &report(&launch, Some(&old))).unwrap_err();
        assert!(matches!(error, TcbError::NoLevel { which: "TEE_TCB_SVN_2", .. }));
    }

    #[test]
    fn sgx_tcb_info_has_no_level_for_a_td() {
        let mut sgx = level(0, 0, [0, 0, 0], "UpToDate");
        sgx["tcb"].as_object_mut().unwrap().remove("tdxtcbcomponents");
        assert_eq!(status(&info(&[sgx]), &pck(9, 9), &svn([9, 0, 9])), None);
    }

    #[test]
    fn advisories_and_dates_of_all_are_kept() {
        let mut first = level(0, 0, [0, 0, 0], "SWHardeningNeeded");
        first["advisoryIDs"] = json!(["INTEL-SA-00002", "INTEL-SA-00001"]);
        let info = info(&[first]);
        let qe = &info.modules[0].levels[0].standing;
        let tcb = Tcb::merge(&info.levels[0].standing, [qe]);
        assert_eq!(tcb.status.word(), "SWHardeningNeeded");
        assert_eq!(tcb.advisories.iter().collect::<Vec<_>>(), ["INTEL-SA-00001", "INTEL-SA-00002"]);
        assert_eq!(tcb.date.to_string(), "2024-01-01T00:00:00Z");
    }
}
