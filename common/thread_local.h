/* thread_local: the one spelling of a thread-local variable.
 *
 * Declare with TLS_DECLARE in a header, define with TLS_DEFINE in one .c file, and use
 * the variable as TLS(name) only. A tool that runs many logical threads on one system
 * thread can then give each its own copy by redefining three macros. */
#ifndef COMMON_THREAD_LOCAL_H
#define COMMON_THREAD_LOCAL_H

#ifndef TLS
#define TLS_DECLARE(type, name) extern _Thread_local type name
#define TLS_DEFINE(type, name) _Thread_local type name
#define TLS(name) (name)
#endif

#endif
