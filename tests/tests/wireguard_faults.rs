//! Every fault that a lab of WireGuard can be given, on a real data plane.

use overlay_probe::{
    check::Plane,
    lab::{Dataplane, Family},
};
use probe_tests::{
    faulted::{each_fault, each_fix, is_of_both},
    needs,
};

#[test]
fn each_fault_of_wireguard_raises_its_check() {
    needs!(Wireguard);
    each_fault(Dataplane::Wireguard, Family::Dual, is_of_both);
}

#[test]
fn pasted_fixes_of_wireguard_mend_the_node() {
    needs!(Wireguard);
    each_fix(Dataplane::Wireguard, Plane::Wireguard);
}
