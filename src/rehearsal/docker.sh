# Stands in for docker where there is none: understands the calls of the pipeline, and refuses every other aloud.
# Variables above this line: engine (buildah or podman, with its path), home (of the person, for the engine's storage).
set -euo pipefail
export HOME="$home"

refuse() {
  echo "::error title=Not rehearsed::without docker, the rehearsal does not know this call: $*"
  exit 64
}

# What works for the process $1, deepest first, without the second self that an engine has for people without root.
below() {
  local child
  for child in $(ps -A -o pid= -o ppid= | awk -v parent="$1" '$2 == parent { print $1 }'); do
    below "$child"
    [[ "$(ps -o args= -p "$child")" = *' build --platform '* ]] || echo "$child"
  done
}

# An engine that is killed between two commands of a build leaves its containers and unfinished images. One whose
# command fails removes them. So whatever works for it is killed, until it has given up.
give_up() {
  trap '' TERM
  local attempt
  for ((attempt = 0; attempt < 80; attempt++)); do
    kill -0 "$building" 2> /dev/null || break
    # Several at once, or none.
    # shellcheck disable=SC2046
    kill -KILL $(below "$building") 2> /dev/null || :
    sleep 0.1
  done
  kill -KILL -- "-$building" 2> /dev/null || :
  exit 143
}

forget() {
  [ ! -s "$image" ] || "$engine" rmi --force "$(cat "$image")" > /dev/null
  rm -f "$image"
}

create() {
  # BuildKit itself is what can't be had here; the rehearsal says so at its end.
  while [ $# -gt 0 ]; do
    case "$1" in
      --bootstrap | --use) shift ;;
      --name=* | --driver=* | --driver-opt=* | --platform=* | --buildkitd-flags=*) shift ;;
      --name | --driver | --driver-opt | --platform | --buildkitd-flags) shift 2 ;;
      *) refuse "docker buildx create … $1" ;;
    esac
  done
}

build() {
  local platform='' epoch='' output='' context='' target='' option value
  local arguments=()
  while [ $# -gt 0 ]; do
    option="$1"
    shift
    case "$option" in
      --no-cache | --pull | --provenance=false | --sbom=false | --attest=false) continue ;;
      --builder=* | --progress=*) continue ;;
      --builder | --progress)
        shift
        continue
        ;;
      --platform=* | --build-arg=* | --label=* | --annotation=* | --output=* | --file=* | --target=* | --build-context=*)
        value="${option#*=}"
        option="${option%%=*}"
        ;;
      --platform | --build-arg | --label | --annotation | --output | -o | --file | -f | --target | --build-context)
        [ $# -gt 0 ] || refuse "docker buildx build … $option"
        value="$1"
        shift
        ;;
      -*) refuse "docker buildx build … $option" ;;
      *)
        [ -z "$context" ] || refuse "docker buildx build with two contexts: $context $option"
        context="$option"
        continue
        ;;
    esac
    case "$option" in
      --platform) platform="$value" ;;
      --build-arg)
        [[ "$value" != SOURCE_DATE_EPOCH=* ]] || epoch="${value#*=}"
        [[ "$value" = *=* ]] || refuse "docker buildx build … --build-arg without a value"
        arguments+=(--build-arg "$value")
        ;;
      --label | --build-context) arguments+=("$option" "$value") ;;
      --annotation)
        # BuildKit writes where to before the name; only the manifest exists here.
        case "${value%%=*}" in
          manifest:* | manifest\[*\]:*) value="${value#*:}" ;;
          index:* | index-descriptor:* | manifest-descriptor:*) refuse "docker buildx build … --annotation $value" ;;
        esac
        arguments+=(--annotation "$value")
        ;;
      --output | -o) output="$value" ;;
      --file | -f) arguments+=(--file "$value") ;;
      --target) target="$value" ;;
    esac
  done
  [ -n "$context" ] || refuse 'docker buildx build without a context'
  [[ "$platform" =~ ^linux/[a-z0-9]+(/v[0-9]+)?$ ]] || refuse "docker buildx build … --platform $platform"
  local folder='' part parts rewrites=''
  local type='' tar=''
  IFS=, read -ra parts <<< "$output"
  for part in ${parts[@]+"${parts[@]}"}; do
    case "$part" in
      type=oci) type=oci ;;
      tar=false) tar=false ;;
      dest=*) folder="${part#dest=}" ;;
      rewrite-timestamp=true) rewrites=yes ;;
      rewrite-timestamp=false | compression=gzip | oci-mediatypes=true) ;;
      *) refuse "docker buildx build … --output $output" ;;
    esac
  done
  [ "$type" = oci ] && [ "$tar" = false ] && [ -n "$folder" ] || refuse "docker buildx build … --output $output"
  [ -z "$target" ] || arguments+=(--target "$target")
  # The engines set the time of creation and of the files in new layers together.
  if [ -n "$epoch" ] && [ -n "$rewrites" ]; then arguments+=(--timestamp "$epoch"); fi

  # Left behind on the way out, whichever way: nothing but the base images, which the engine keeps for the next time.
  image="$(mktemp)"
  trap forget EXIT
  # A process group of its own keeps a signal to everybody away from the engine.
  set -m
  # The engine's own labels are none of BuildKit's. Its own network setup is not what is rehearsed.
  "$engine" build --platform "$platform" --no-cache --layers=false --force-rm --format oci --identity-label=false \
    --network host --iidfile "$image" ${arguments[@]+"${arguments[@]}"} "$context" &
  building=$!
  set +m
  trap give_up TERM
  wait "$building"
  trap - TERM
  mkdir -p "$folder"
  "$engine" push --quiet "$(cat "$image")" "oci:$folder"
}

case "${1-} ${2-}" in
  'buildx create') create "${@:3}" ;;
  'buildx build') build "${@:3}" ;;
  'buildx rm') ;;
  *) refuse "docker $*" ;;
esac
