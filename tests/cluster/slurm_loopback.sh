#!/usr/bin/env bash
# Runs a command with a Slurm cluster of two nodes on this machine: loopback network only, without
# root. Nothing is installed, and nothing is left behind.
#
# usage: slurm_loopback.sh PACKAGES COMMAND...    PACKAGES is a folder to unpack Slurm into, kept for the next time;
#                                                 exit 77, with the reason, where Slurm cannot be had
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
packages=$1
shift
bash "$here/packages.sh" "$packages" slurmctld slurmd slurm-client munge
packages=$(cd "$packages" && pwd)

# Path of each file: unpacked, or installed on this machine.
place() {
  local path
  for path in "$packages/$1" "/$1"; do
    [[ ! -e $path ]] || { echo "$path"; return; }
  done
  echo "slurm_loopback.sh: no $1 in Debian's packages" >&2
  exit 77
}
libraries=usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || echo "$(uname -m)-linux-gnu")
plugins=$(place "$libraries/slurm-wlm")

scratch=$(mktemp -d /tmp/slurm-loopback.XXXXXX)
chmod 711 "$scratch"  # munged requires that all users can enter each directory above its socket
mkdir -p "$scratch"/{bin,log,run,state,spool}
processes=()
cleanup() {
  local code=$? process
  for process in "${processes[@]}"; do kill "$process" 2>/dev/null || true; done
  for _ in {1..50}; do
    kill -0 "${processes[@]}" 2>/dev/null || break
    sleep 0.1
  done
  for process in "${processes[@]}"; do kill -9 "$process" 2>/dev/null || true; done
  [[ $code == 0 ]] || tail -n 5 "$scratch"/log/*.log >&2 || true
  rm -rf "$scratch"
}
trap cleanup EXIT
start() {
  "$@" 2>>"$scratch/log/start.log" &
  processes+=($!)
}

# The daemons check the name they are called by, and Debian calls them slurmctld-wlm and so on.
for daemon in slurmctld slurmd slurmstepd; do
  ln -s "$(place usr/sbin/$daemon-wlm 2>/dev/null || place usr/sbin/$daemon)" "$scratch/bin/$daemon"
done
export PATH=$scratch/bin:$packages/usr/bin:$packages/usr/sbin:$PATH
export LD_LIBRARY_PATH=$plugins:$packages/$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export SLURM_CONF=$scratch/slurm.conf

read -r -a ports < <(python3 - <<'EOF'
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(s.getsockname()[1] for s in sockets))
EOF
)
cat >"$SLURM_CONF" <<EOF
ClusterName=loopback
SlurmctldHost=localhost
SlurmctldPort=${ports[0]}
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$scratch/run/munge.sock
CredType=cred/munge
PluginDir=$plugins
SlurmctldPidFile=$scratch/run/slurmctld.pid
SlurmdPidFile=$scratch/run/slurmd.%n.pid
SlurmctldLogFile=$scratch/log/slurmctld.log
SlurmdLogFile=$scratch/log/slurmd.%n.log
StateSaveLocation=$scratch/state
SlurmdSpoolDir=$scratch/spool/%n
SlurmdParameters=config_overrides
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1
ReturnToService=2
MinJobAge=3600
KillWait=2
GresTypes=gpu
NodeName=n1 NodeHostname=localhost Port=${ports[1]} CPUs=2 RealMemory=2000 Gres=gpu:1
NodeName=n2 NodeHostname=localhost Port=${ports[2]} CPUs=2 RealMemory=2000 Gres=gpu:1
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
EOF
# Two devices that every machine has, in place of GPUs.
printf 'NodeName=n1 Name=gpu File=/dev/zero\nNodeName=n2 Name=gpu File=/dev/full\n' >"$scratch/gres.conf"

(umask 077 && head -c 64 /dev/urandom >"$scratch/munge.key")
start "$(place usr/sbin/munged)" --foreground --force --key-file="$scratch/munge.key" \
  --socket="$scratch/run/munge.sock" --pid-file="$scratch/run/munged.pid" --log-file="$scratch/log/munged.log" \
  --seed-file="$scratch/run/munge.seed"
for _ in {1..100}; do
  [[ ! -S $scratch/run/munge.sock ]] || break
  sleep 0.1
done
start "$scratch/bin/slurmctld" -D
for node in n1 n2; do start "$scratch/bin/slurmd" -D -N $node -d "$scratch/bin/slurmstepd"; done
for _ in {1..300}; do
  [[ $(sinfo -h -o '%t %D' 2>/dev/null) != "idle 2" ]] || break
  sleep 0.2
done
[[ $(sinfo -h -o '%t %D') == "idle 2" ]] || { echo "slurm_loopback.sh: Slurm did not come up" >&2; exit 1; }
"$@"
