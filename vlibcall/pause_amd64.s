// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// func pause(next *byte)
TEXT ·pause(SB), NOSPLIT, $0-8
	MOVQ	next+0(FP), AX
	PAUSE
	PREFETCHT0	(AX)
	RET
