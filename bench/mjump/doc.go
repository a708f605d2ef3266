// SPDX-License-Identifier: Apache-2.0

// Package mjump builds and runs m_jump, the program of the vLibOS paper's
// section 5.3 that only waits for memory.
package mjump
