// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// Xen's calling convention: the number in RAX, arguments in RDI, RSI, RDX and
// R10, the result in RAX. The assembler has no names for the instructions.
#define ARGUMENTS \
	MOVQ	op+0(FP), AX \
	MOVQ	a1+8(FP), DI \
	MOVQ	a2+16(FP), SI \
	MOVQ	a3+24(FP), DX \
	MOVQ	a4+32(FP), R10

// func vmmcall(op, a1, a2, a3, a4 uint64) uint64
TEXT ·vmmcall(SB), NOSPLIT, $0-48
	ARGUMENTS
	BYTE	$0x0f; BYTE $0x01; BYTE $0xd9
	MOVQ	AX, ret+40(FP)
	RET

// func vmcall(op, a1, a2, a3, a4 uint64) uint64
TEXT ·vmcall(SB), NOSPLIT, $0-48
	ARGUMENTS
	BYTE	$0x0f; BYTE $0x01; BYTE $0xc1
	MOVQ	AX, ret+40(FP)
	RET

// func cpuVendorAMD() bool
//
// "AuthenticAMD" or "HygonGenuine": the first four letters, in EBX, suffice.
TEXT ·cpuVendorAMD(SB), NOSPLIT, $0-1
	XORL	AX, AX
	CPUID
	CMPL	BX, $0x68747541 // "Auth"
	JEQ	amd
	CMPL	BX, $0x6f677948 // "Hygo"
	JEQ	amd
	MOVB	$0, ret+0(FP)
	RET
amd:
	MOVB	$1, ret+0(FP)
	RET
