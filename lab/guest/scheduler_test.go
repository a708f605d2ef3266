// SPDX-License-Identifier: Apache-2.0

package guest

import "testing"

// A scheduler that Xen does not have is an error that names those it has.
func TestSchedulerThatXenLacksIsAnError(t *testing.T) {
	const messages = "(XEN) Could not find scheduler: rtds\n(XEN) Using scheduler: SMP Credit Scheduler rev2 (credit2)\n(XEN) Host timer is 1.193MHz PIT\n"
	const config = "CONFIG_SCHED_CREDIT=y\nCONFIG_SCHED_CREDIT2=y\n# CONFIG_SCHED_RTDS is not set\nCONFIG_SCHED_NULL=y\nCONFIG_SCHED_CREDIT2_DEFAULT=y\nCONFIG_SCHED_DEFAULT=\"credit2\"\nCONFIG_SCHED_GRANULARITY=y\n"
	for _, test := range []struct{ want, messages, config, err string }{
		{"rtds", messages, config, `this Xen has no scheduler "rtds": it has credit, credit2, null`},
		{"rtds", messages, "", `this Xen has no scheduler "rtds": it uses credit2`},
		{"credit2", messages, config, ""},
		{"vlib", "(XEN) Using scheduler: vLibOS Scheduler (vlib)\n", config, ""},
		{"rtds", "(XEN) only later messages\n", config, ""},
	} {
		err := schedulerError(test.want, test.messages, test.config)
		if got := errorText(err); got != test.err {
			t.Errorf("%s: %q, want %q", test.want, got, test.err)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
