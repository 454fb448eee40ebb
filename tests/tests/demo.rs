//! `mint demo`, as a newcomer sees it.

use hallmark_tests::run;

#[test]
fn every_line_says_simulated_and_the_changed_image_is_refused() {
    let said = run("mint", &["demo"]).exits(0);
    assert!(said.out.lines().count() > 8);
    for line in said.out.lines() {
        assert!(line.starts_with("SIMULATED  "), "{line}");
    }
    assert!(said.out.contains("verdict    the machine that booted it: simulated"), "{}", said.out);
    assert!(said.out.contains("verdict    a machine that booted that: refused"), "{}", said.out);
    assert!(said.out.contains("first: rtmr2: .initrd"), "{}", said.out);
    for key in ["colour = blue", "colour = green", "colour = red"] {
        assert!(said.out.contains(&format!("committed  {key}")), "{}", said.out);
    }
    assert_eq!(said.out.matches("audit      verdict: simulated").count(), 2, "{}", said.out);
    assert!(said.out.contains("waited     slot 1 is let in"), "{}", said.out);
    assert!(said.out.contains("refused    slot 2: image-mismatch"), "{}", said.out);
}
