/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every security hook of Linux 6.12 to 7.2, and what the guard does with it: hooks.c compares this
 * with the running kernel and with the guard's programs.
 *
 * USED(hook, what for), NOT_USED(hooks, why not). The hooks are words, named as in lsm_hook_defs.h.
 */

/* Opening, reading, writing, mapping, executing */
USED("file_open", "opening, by whatever name, and of what the kernel opens itself")
USED("file_permission", "each read and write, by whatever system call")
USED("file_fcntl", "turning O_APPEND off")
USED("inode_readlink", "reading a symbolic link")
USED("mmap_file", "mapping, also by remap_file_pages(2)")
USED("mmap_backing_file", "what overlayfs and FUSE map of the file below")
USED("file_mprotect", "what is mapped and made readable, writable, or code")
USED("file_ioctl file_ioctl_compat", "calls that read, write or change attributes: ioctl.bpf.h")
USED("uring_cmd", "what io_uring tells a driver or filesystem to do")
USED("quota_on", "a file that quotas are in")
NOT_USED("file_post_open", "file_open was asked before")
NOT_USED("file_receive binder_transfer_file",
	 "descriptors may go to others: what is done by them is asked about")
NOT_USED("mmap_addr", "it has an address, and no file")
NOT_USED("file_truncate path_truncate", "inode_setattr is asked behind, with the new size")
NOT_USED("file_lock", "locks change nothing")
NOT_USED("file_set_fowner file_send_sigiotask", "signals")
NOT_USED("kernel_post_read_file kernel_post_load_data",
	 "the kernel reads modules and the like by file_open and file_permission; or from memory")
NOT_USED("inode_copy_up inode_copy_up_xattr",
	 "overlayfs makes its copy by file_open and file_permission of the file in the layer")
NOT_USED("uring_override_creds uring_sqpoll uring_allowed",
	 "who may use io_uring: each request is asked about by file_permission")

/* Attributes */
USED("inode_setattr", "mode, owner, times, size")
USED("inode_setxattr inode_removexattr", "extended attributes")
USED("inode_set_acl inode_remove_acl", "access control lists; but the NFS server asks no hook")
USED("inode_file_setattr", "flags, by file_setattr(2), since Linux 6.17")
NOT_USED("path_chmod path_chown", "inode_setattr is asked behind, by whatever way")
NOT_USED("inode_getattr inode_getxattr inode_listxattr inode_get_acl inode_file_getattr sb_statfs "
	 "sb_show_options", "no operation: nothing of the content, and nothing changes")
NOT_USED("inode_need_killpriv inode_killpriv",
	 "the kernel takes bits away from what is written to, which was asked about")
NOT_USED("inode_xattr_skipcap", "capabilities, which come on top of inode_setxattr")
NOT_USED("inode_post_setattr inode_post_setxattr inode_post_removexattr inode_post_set_acl "
	 "inode_post_remove_acl inode_post_create_tmpfile path_post_mknod", "it is done")

/* Names */
USED("inode_create inode_symlink inode_mkdir inode_mknod inode_link", "making a name")
USED("inode_unlink inode_rmdir", "removing one")
USED("inode_rename", "renaming, also over what is there; and giving it the rule of its new name")
USED("path_link", "giving a file the rule of its new name: it may sleep")
USED("path_mkdir", "making a subvolume of bcachefs, for which no other is asked")
NOT_USED("path_unlink path_rmdir path_mknod path_symlink path_rename",
	 "only system calls ask these; the inode_ hooks are asked behind, by NFS, overlayfs and "
	 "others, too")
NOT_USED("path_chroot", "where a process begins its paths: no file is concerned")
NOT_USED("path_notify", "who watches learns that something was done; no operation")
NOT_USED("inode_follow_link", "following a symbolic link is no operation")
NOT_USED("inode_permission",
	 "asked for each directory of each path, which would cost all that uses files, and without "
	 "the name; BPF_OBJ_GET and access control lists of the NFS server's are asked nowhere "
	 "else")
NOT_USED("unix_find", "unix_stream_connect and unix_may_send are asked behind")
USED("unix_stream_connect unix_may_send", "a UNIX socket that has a name")

/* Mounts */
USED("sb_mount move_mount sb_pivotroot", "mounting over it, and that paths may lead elsewhere then")
USED("sb_umount", "that paths may lead elsewhere")
USED("sb_kern_mount", "mounting what is on a device")
USED("sb_remount", "making writable what is mounted of a device")
NOT_USED("fs_context_submount fs_context_dup fs_context_parse_param sb_eat_lsm_opts "
	 "sb_free_mnt_opts sb_mnt_opts_compat sb_set_mnt_opts sb_clone_mnt_opts",
	 "options of mounts")
NOT_USED("initramfs_populated", "before there is a guard")
NOT_USED("quotactl", "how much users may have; of the file that this is in, quota_on")

/* Executables that may do what others may not */
USED("bprm_check_security", "executing one under a tracer, and which libraries it loads")
USED("bprm_committing_creds", "whom the guard has seen execute one, and with which filters")
USED("task_alloc", "that children count as their parents do")
USED("task_fix_setuid capset", "that what a process is given now is what root has chosen")
USED("ptrace_access_check ptrace_traceme", "tracing it, its memory, its descriptors")
USED("perf_event_alloc", "watching it")
USED("task_prctl", "telling the kernel of another executable")
NOT_USED("bprm_creds_for_exec bprm_creds_from_file",
	 "file_open and bprm_check_security are asked before")
NOT_USED("perf_event_open perf_event_read perf_event_write",
	 "perf_event_alloc knows whom it is about")
NOT_USED("task_movememory", "it moves pages between nodes, and nothing is read")

/* A sealed guard: seal.bpf.c */
USED("bprm_committed_creds", "which processes are the tool's")
USED("bpf_map bpf_prog", "who gets maps and programs of the guard")
USED("locked_down", "what can change the kernel, as kernel_lockdown(7) has it")
USED("kernel_load_data kernel_read_file", "loading another kernel, or a module")
USED("capable", "unloading a module by force")

/* What security modules note about files, and how they label them */
NOT_USED("inode_alloc_security inode_free_security inode_free_security_rcu file_alloc_security "
	 "file_free_security file_release backing_file_alloc backing_file_free sb_alloc_security "
	 "sb_delete sb_free_security bdev_alloc_security bdev_free_security bdev_setintegrity "
	 "inode_setintegrity", "what modules note: nothing is decided")
NOT_USED("inode_init_security inode_init_security_anon dentry_init_security dentry_create_files_as "
	 "kernel_create_files_as kernel_act_as kernfs_init_security d_instantiate task_to_inode",
	 "labels of what is made")
NOT_USED("inode_getsecurity inode_setsecurity inode_listsecurity inode_getsecid inode_getlsmprop "
	 "inode_invalidate_secctx inode_notifysecctx inode_setsecctx inode_getsecctx ismaclabel "
	 "secid_to_secctx lsmprop_to_secctx secctx_to_secid release_secctx cred_getsecid "
	 "cred_getlsmprop current_getsecid_subj current_getlsmprop_subj task_getsecid_obj "
	 "task_getlsmprop_obj getselfattr setselfattr getprocattr setprocattr audit_rule_init "
	 "audit_rule_known audit_rule_match audit_rule_free",
	 "labels, which the module decides about that has them")

/* Hooks that are not about files */
NOT_USED("task_free task_fix_setgid task_fix_setgroups task_setpgid "
	 "task_getpgid task_getsid task_setnice task_setioprio task_getioprio task_prlimit "
	 "task_setrlimit task_setscheduler task_getscheduler task_kill cred_alloc_blank cred_free "
	 "cred_prepare cred_transfer userns_create capget vm_enough_memory",
	 "processes and who they are")
NOT_USED("syslog settime kernel_module_request",
	 "the machine: what root can do besides files is in the manual")
NOT_USED("bpf bpf_map_create bpf_map_free bpf_prog_load bpf_prog_free "
	 "bpf_token_create bpf_token_free bpf_token_cmd bpf_token_capable",
	 "objects of BPF: of their pins only the names are files")
NOT_USED("binder_set_context_mgr binder_transaction binder_transfer_binder", "binder")
NOT_USED("ipc_permission ipc_getsecid ipc_getlsmprop msg_msg_alloc_security msg_msg_free_security "
	 "msg_queue_alloc_security msg_queue_free_security msg_queue_associate msg_queue_msgctl "
	 "msg_queue_msgsnd msg_queue_msgrcv shm_alloc_security shm_free_security shm_associate "
	 "shm_shmctl shm_shmat sem_alloc_security sem_free_security sem_associate sem_semctl "
	 "sem_semop", "System V IPC")
NOT_USED("key_alloc key_permission key_getsecurity key_post_create_or_update watch_key "
	 "post_notification", "keys")
NOT_USED("netlink_send socket_create socket_post_create socket_socketpair socket_bind "
	 "socket_connect socket_listen socket_accept socket_sendmsg socket_recvmsg "
	 "socket_getsockname socket_getpeername socket_getsockopt socket_setsockopt "
	 "socket_shutdown socket_sock_rcv_skb socket_getpeersec_stream socket_getpeersec_dgram "
	 "sk_alloc_security sk_free_security sk_clone_security sk_getsecid sock_graft "
	 "inet_conn_request inet_csk_clone inet_conn_established secmark_relabel_packet "
	 "secmark_refcount_inc secmark_refcount_dec req_classify_flow tun_dev_alloc_security "
	 "tun_dev_create tun_dev_attach_queue tun_dev_attach tun_dev_open sctp_assoc_request "
	 "sctp_bind_connect sctp_sk_clone sctp_assoc_established mptcp_add_subflow ib_pkey_access "
	 "ib_endport_manage_subnet ib_alloc_security xfrm_policy_alloc_security "
	 "xfrm_policy_clone_security xfrm_policy_free_security xfrm_policy_delete_security "
	 "xfrm_state_alloc xfrm_state_alloc_acquire xfrm_state_free_security "
	 "xfrm_state_delete_security xfrm_policy_lookup xfrm_state_pol_flow_match "
	 "xfrm_decode_session", "the network: a UNIX socket's file is asked about where it is used")
NOT_USED("init func_proto verify_prog is_sleepable_hook is_trusted find_cgroup_shim "
	 "get_retval_range has_d_inode_locked hook_returns_errno",
	 "no hooks, but functions that are called like them")
