//! Telemetry, `dcmi_interface_api.h`. Every function returns 0 or a negative code.

use std::ffi::{c_char, c_int, c_uint};

use super::enums::c_enum;
use super::structs::{dcmi_chip_info, dcmi_chip_info_v2, dcmi_hbm_info, dcmi_proc_mem_info};
use super::table::functions;

c_enum! {
    /// A clock.
    dcmi_freq_type: i32, "DCMI_FREQ_" {
        DDR = 1, CTRLCPU = 2, HBM = 6, AICORE_CURRENT_ = 7, AICORE_MAX = 9, VECTORCORE_CURRENT = 12,
    }
}

functions! {
    /// Telemetry, from `libdcmi.so`, which the driver brings.
    ///
    /// Versions are the driver's own, so `since` is that of the first CANN release that was looked
    /// at.
    Dcmi {
        /// Starts DCMI; must come first.
        Telemetry "8.1" fn dcmi_init() -> c_int;
        /// Version of the driver as text.
        Telemetry "8.1" fn dcmi_get_driver_version(driver_ver: *mut c_char, len: c_uint) -> c_int;
        /// Numbers of the cards.
        Telemetry "8.1" fn dcmi_get_card_list(
            card_num: *mut c_int, card_list: *mut c_int, list_len: c_int,
        ) -> c_int;
        /// How many devices a card has.
        Telemetry "8.1" fn dcmi_get_device_num_in_card(
            card_id: c_int, device_num: *mut c_int,
        ) -> c_int;
        /// Card and device of a logical device.
        Telemetry "8.1" fn dcmi_get_card_id_device_id_from_logicid(
            card_id: *mut c_int, device_id: *mut c_int, device_logic_id: c_uint,
        ) -> c_int;
        /// Health: 0 good, 1 minor, 2 major, 3 critical alarms, 0xFFFFFFFF no such device.
        Telemetry "8.1" fn dcmi_get_device_health(
            card_id: c_int, device_id: c_int, health: *mut c_uint,
        ) -> c_int;
        /// Load in per cent ([`dcmi_rate`](super::flags::dcmi_rate)).
        Telemetry "8.1" fn dcmi_get_device_utilization_rate(
            card_id: c_int, device_id: c_int, input_type: c_int, utilization_rate: *mut c_uint,
        ) -> c_int;
        /// HBM: size, use, clock, temperature.
        Telemetry "8.1" fn dcmi_get_device_hbm_info(
            card_id: c_int, device_id: c_int, hbm_info: *mut dcmi_hbm_info,
        ) -> c_int;
        /// Power in tenths of a watt.
        Telemetry "8.1" fn dcmi_get_device_power_info(
            card_id: c_int, device_id: c_int, power: *mut c_int,
        ) -> c_int;
        /// Temperature in degrees Celsius.
        Telemetry "8.1" fn dcmi_get_device_temperature(
            card_id: c_int, device_id: c_int, temperature: *mut c_int,
        ) -> c_int;
        /// A clock in MHz.
        Telemetry "8.1" fn dcmi_get_device_frequency(
            card_id: c_int, device_id: c_int, input_type: dcmi_freq_type, frequency: *mut c_uint,
        ) -> c_int;
        /// Names of the chip.
        Telemetry "8.1" fn dcmi_get_device_chip_info(
            card_id: c_int, device_id: c_int, chip_info: *mut dcmi_chip_info,
        ) -> c_int;
        /// Names of the chip, with that of the NPU.
        Telemetry "8.1" fn dcmi_get_device_chip_info_v2(
            card_id: c_int, device_id: c_int, chip_info: *mut dcmi_chip_info_v2,
        ) -> c_int;
        /// Memory by process; `proc_num` is the room for them and then how many there are.
        Telemetry "8.1" fn dcmi_get_device_resource_info(
            card_id: c_int, device_id: c_int, proc_info: *mut dcmi_proc_mem_info,
            proc_num: *mut c_int,
        ) -> c_int;
    }
}
