/** Everything that the widget says, in English and Korean. `{x}` is filled in by `say`. */

/** @import { MaskError } from "./grammar.js" */

/** @typedef {keyof typeof en} TextKey */
/** @typedef {Record<TextKey, string>} Texts */

const en = {
  // Errors of the grammar, worded as in `stylemix_core/masks/grammar.py`.
  empty: "the mask list is empty",
  noLabel: "there is no label before the colon",
  labelComma: "a label cannot contain a comma",
  expectedLayer: "expected a layer, a range or a name here, found {found}",
  expectedStrength: "expected a strength after '{after}', found {found}",
  waves: "sin goes up and down 1 to {most} times",
  oneKey: "a course has two keys or more; write for instance 0>1/30%>0",
  places: "the places of a course rise from 0% to 100%; found {place}%",
  strengthRange: "the strength {strength} is out of range; use a number from -2 to 3",
  notUnderstood: "{found} is not understood from here on",
  otherRange: "{found} is not understood from here on; a range is written {first}-{last}",
  backwards: "the range {first}-{last} runs backwards; write {last}-{first}",
  randomCount: "random can draw 1 to {numWs} layers from this model",
  unknownName:
    "{found} is unknown; names are all, none, pose, coarse, middle, fine, random, random(k); a label ends with a colon",
  nameBeyond: "{name} starts at layer {first}, but this model has the layers 0-{last}",
  noLayer: "there is no layer {layer}: this model has the layers 0-{last}",
  list: "the list is not understood from here on",
  mixed: "layers and lists are mixed; put brackets around every mask",
  nested: "the brackets are nested too deep; expected lists of layers",
  wholeNumbers: "a list holds layers, which are whole numbers, found {found}",
  nothing: "nothing",

  grid: "Masks and the W+ layers that they take from the style",
  coarse: "coarse, layers 0–3: pose, head shape",
  middle: "middle, layers 4–7: features of the face, hair style",
  fine: "fine, layers 8 and up: colours, small structure",
  pixels: "{pixels} pixels",
  layer: "layer {layer} · {pixels} px",
  poseLayer: "layer {layer} · turns and shifts the picture, nothing else",
  beyond: "layer {layer} · this model has the layers 0–{last}",
  cell: "{mask}, layer {layer}: {strength}",
  off: "off",
  ownStrength: "alpha",
  layers: "{count} layers",
  layersAssumed: "{count} layers, until a model is connected",
  mask: "mask {number}",
  editLabel: "Double-click to name this mask. Drag up or down to move it.",
  label: "Label",
  rowMenu: "More for this mask",
  random: "drawn from the seed when the node runs",
  cannotShow: "The grid cannot show this mask. Edit it in the text.",
  addMask: "+ mask",
  addMaskTip: "Add an empty mask",
  presets: "Presets",
  addPreset: "Add to the list",
  duplicate: "Duplicate",
  moveUp: "Move up",
  moveDown: "Move down",
  rename: "Rename",
  remove: "Remove",
  course: "Strength over the film…",
  courseHint: "Drag keys. Double-click for a new key, or on a key to ease it. Right-click takes one away.",
  place: "line {line}, column {column}",
  showPlace: "Show the place in the text",
  fromMasks: "From masks: these are the masks of {name}. Change them there.",
  fromMasksRun: "From masks: what {name} gave in the last run.",
  fromMasksLater: "From masks: what {name} gives is seen here after a run.",
  linked: "From {name}, which is connected to mask_list. Change the masks there.",
  linkedRun: "From {name}, which is connected to mask_list, as in the last run.",
  linkedLater: "From {name}, which is connected to mask_list: seen here after a run.",
  hint: "Click or drag to paint. Drag up or down, or Alt + wheel, for the strength. Right-click or hold a finger still for more. Hold S to see the source in the result's place.",
  live: "Live: choose Run (On Change) beside the Run button, and every stroke draws anew.",
  liveSource: "source",
  liveLayer: "layer {layer} alone",
  livePreview: "preview, {size} px",
  liveFrame: "frame {number} of {count}",
  gallery: "Saved faces and directions",
  gallerySearch: "Search by name",
  galleryNone: "Nothing is called that. Save W+ and Save Directions put files here.",
  galleryPut: "{name}: click to load it, or drag it onto the canvas or a loader",
  galleryStar: "{name}: favourite",
  galleryMore: "{name}: more",
  galleryTrash: "Throw away",
  galleryTrashTip: "Moves the file and its picture into output/stylemix_trash.",
  galleryFailed: "ComfyUI did not answer.",
  compare: "Compare pictures…",
  comparePicture: "Picture",
  compareWipe: "Wipe",
  compareFlicker: "Flicker",
  compareDifference: "Difference",
  compareSave: "Save this",
  compareClose: "Close",
  compareHint: "Drag to wipe, wheel to zoom, Shift + drag to move. Keys: 1 2 3, ← →, + − 0.",
  compareTold: "They differ by {mean} % on average, by {most} % at most. Black is the same.",

  sweep: "The study's sweep",
  sweepTip: "Layers 0 to 5 one at a time, then 0 to 6 together: the study project's experiment.",
  each: "Each layer alone",
  eachTip: "One result per layer of the model.",
  bands: "Coarse, middle, fine",
  bandsTip:
    "Three results: pose and shape, features, colours. The three ranges of the StyleGAN paper (Karras et al. 2019).",
  all: "All layers",
  allTip: "The style itself.",
  one: "One random layer",
  oneTip: "Drawn anew for every seed of the node.",
  hairShape: "Hair shape",
  hairShapeTip:
    "Layers 2–6 of the FFHQ model at 1024 px. Published findings: GANSpace (Härkönen et al. 2020): bald 2–4, curly 3–5, hairline 4; StyleSpace (Wu et al. 2021): bangs 2, 3, 4, 6, wavy 3–5.",
  hairColour: "Hair colour",
  hairColourTip:
    "Layers 7–9 of the FFHQ model at 1024 px. Published findings: GANSpace (Härkönen et al. 2020): white hair 7–9, hair colour keeping the geometry 7–8, dark hair 8; StyleSpace (Wu et al. 2021): grey 7, black and blond 8.",
  warning: "Warning of the last run",
  note: "Told by the last run",
  refused: "Why the last run left this node out",
  hairShapeOwnTip: "The layers that carry the hair's shape in the connected model, by its own table.",
  hairColourOwnTip:
    "The layers that carry the colours of hair, skin, eyes and lips in the connected model, by its own table.",
  upload: "choose a W+ file to upload",
  uploadFailed: "{name} was not uploaded. Choose a file with W+ codes: .safetensors as Save W+ writes them, .npz, .npy, .pt or a PNG picture of another tool.",
  uploadTuning: "choose a tuning to upload",
  uploadTuningFailed: "{name} was not uploaded. Choose a .safetensors file with a tuning, as Save Tuning writes it.",
  uploadDirections: "choose directions to upload",
  uploadDirectionsFailed: "{name} was not uploaded. Choose a file with directions: .safetensors as Save Directions writes it, or .npz, .npy, .pt of another tool.",
  sort: "Faces to sort: arrow keys put the large one to the left or the right, Backspace takes the last one back",
  sortStart: "Show the faces",
  sortHas: "has it: {count}",
  sortHasNot: "has it not: {count}",
  sortLeft: "not",
  sortRight: "has it",
  sortFace: "face {number}",
  sortBack: "Take face {number} back",
  sortHalves: "Face {number}: click its left half if it has it not, its right half if it has it",
  sortStrip: "What the direction does to the average face",
  sortFew: "Sort at least three of each, better ten.",
  needsLayers: "This model has {count} layers; these are layers of larger ones.",
};

/** @type {Texts} */
const ko = {
  empty: "마스크 목록이 비어 있습니다",
  noLabel: "콜론 앞에 이름이 없습니다",
  labelComma: "이름에는 쉼표를 쓸 수 없습니다",
  expectedLayer: "레이어 번호, 범위 또는 이름이 올 자리인데 {found}이(가) 있습니다",
  expectedStrength: "'{after}' 뒤에 세기가 와야 하는데 {found}이(가) 있습니다",
  waves: "sin은 1번에서 {most}번까지 오르내립니다",
  oneKey: "곡선에는 키가 둘 이상 있어야 합니다. 예를 들어 0>1/30%>0으로 쓰세요",
  places: "곡선의 자리는 0%에서 100%로 커져야 하는데 {place}%가 있습니다",
  strengthRange: "세기 {strength}은(는) 범위를 벗어났습니다. -2에서 3 사이의 숫자를 쓰세요",
  notUnderstood: "{found}: 여기서부터 이해할 수 없습니다",
  otherRange: "{found}: 여기서부터 이해할 수 없습니다. 범위는 {first}-{last}(으)로 씁니다",
  backwards: "범위 {first}-{last}의 순서가 거꾸로입니다. {last}-{first}(으)로 쓰세요",
  randomCount: "이 모델에서 random은 1~{numWs}개 레이어를 뽑을 수 있습니다",
  unknownName:
    "{found}은(는) 모르는 이름입니다. 쓸 수 있는 이름: all, none, pose, coarse, middle, fine, random, random(k). 마스크 이름 뒤에는 콜론을 붙이세요",
  nameBeyond: "{name}은(는) {first}번 레이어부터인데, 이 모델의 레이어는 0-{last}입니다",
  noLayer: "{layer}번 레이어가 없습니다. 이 모델의 레이어는 0-{last}입니다",
  list: "목록을 여기서부터 이해할 수 없습니다",
  mixed: "레이어와 목록이 섞여 있습니다. 마스크마다 대괄호로 묶으세요",
  nested: "대괄호가 너무 깊게 겹쳤습니다. 레이어 목록만 쓸 수 있습니다",
  wholeNumbers: "목록에는 레이어 번호(정수)만 쓸 수 있는데 {found}이(가) 있습니다",
  nothing: "빈칸",

  grid: "마스크별로 스타일에서 가져올 W+ 레이어",
  coarse: "coarse, 레이어 0–3: 자세, 머리 형태",
  middle: "middle, 레이어 4–7: 이목구비, 머리 모양",
  fine: "fine, 레이어 8부터: 색과 세밀한 질감",
  pixels: "{pixels}픽셀",
  layer: "레이어 {layer} · {pixels}px",
  poseLayer: "레이어 {layer} · 그림을 돌리고 옮기기만 합니다",
  beyond: "레이어 {layer} · 이 모델의 레이어는 0–{last}입니다",
  cell: "{mask}, 레이어 {layer}: {strength}",
  off: "꺼짐",
  ownStrength: "기본 세기",
  layers: "레이어 {count}개",
  layersAssumed: "모델을 연결하기 전: 레이어 {count}개",
  mask: "마스크 {number}",
  editLabel: "두 번 클릭하면 이름을 붙일 수 있고, 위아래로 끌면 순서가 바뀝니다.",
  label: "이름",
  rowMenu: "이 마스크 메뉴",
  random: "실행할 때 시드로 뽑습니다",
  cannotShow: "격자로 나타낼 수 없는 마스크입니다. 텍스트에서 고치세요.",
  addMask: "+ 마스크",
  addMaskTip: "빈 마스크 추가",
  presets: "프리셋",
  addPreset: "목록에 추가",
  duplicate: "복제",
  moveUp: "위로",
  moveDown: "아래로",
  rename: "이름 바꾸기",
  remove: "삭제",
  course: "영상에 따른 세기…",
  courseHint: "키를 끄세요. 두 번 클릭하면 키가 생기고, 키를 두 번 클릭하면 부드러워집니다. 오른쪽 클릭하면 없어집니다.",
  place: "{line}행 {column}열",
  showPlace: "텍스트에서 그 자리 보기",
  fromMasks: "마스크 입력에서 온 목록: {name}의 마스크입니다. 그 노드에서 바꾸세요.",
  fromMasksRun: "마스크 입력에서 온 목록: 마지막 실행에서 {name}이(가) 준 마스크입니다.",
  fromMasksLater: "마스크 입력에서 온 목록: {name}이(가) 주는 마스크는 실행한 뒤에 여기 나타납니다.",
  linked: "마스크 목록에 연결된 {name}의 마스크입니다. 그 노드에서 바꾸세요.",
  linkedRun: "마스크 목록에 연결된 {name}이(가) 마지막 실행에서 준 마스크입니다.",
  linkedLater: "마스크 목록에 연결된 {name}의 마스크는 실행한 뒤에 여기 나타납니다.",
  hint: "클릭하거나 끌어서 칠하세요. 세기는 위아래로 끌거나 Alt+휠로 바꿉니다. 오른쪽 클릭하거나 길게 누르면 메뉴가 열립니다. S를 누르고 있으면 결과 자리에 원본이 보입니다.",
  live: "실행 버튼 옆에서 ‘실행 (변경 시)’을 고르면 칠할 때마다 바로 다시 그립니다.",
  liveSource: "원본",
  liveLayer: "레이어 {layer}만",
  livePreview: "미리보기, {size} px",
  liveFrame: "{count}개 중 {number}번째 프레임",
  gallery: "저장한 얼굴과 방향",
  gallerySearch: "이름으로 찾기",
  galleryNone: "그런 이름이 없습니다. W+ 저장과 방향 저장이 파일을 여기에 둡니다.",
  galleryPut: "{name}: 클릭하면 불러옵니다. 캔버스나 로드 노드로 끌어도 됩니다",
  galleryStar: "{name}: 즐겨찾기",
  galleryMore: "{name}: 더 보기",
  galleryTrash: "버리기",
  galleryTrashTip: "파일과 그림을 output/stylemix_trash로 옮깁니다.",
  galleryFailed: "ComfyUI가 응답하지 않았습니다.",
  compare: "그림 비교…",
  comparePicture: "그림",
  compareWipe: "밀어 보기",
  compareFlicker: "번갈아 보기",
  compareDifference: "차이",
  compareSave: "이대로 저장",
  compareClose: "닫기",
  compareHint: "끌면 경계가 움직이고, 휠로 확대하고, Shift를 누른 채 끌면 옮깁니다. 키: 1 2 3, ← →, + − 0.",
  compareTold: "평균 {mean} %, 가장 크게 {most} % 다릅니다. 검은 곳은 같습니다.",

  sweep: "연구의 실험 순서",
  sweepTip: "레이어 0~5를 하나씩, 이어서 0~6을 한꺼번에: 연구 프로젝트에서 한 실험입니다.",
  each: "레이어 하나씩",
  eachTip: "모델의 레이어마다 결과가 하나씩 나옵니다.",
  bands: "Coarse, middle, fine",
  bandsTip: "결과 세 개: 자세와 형태, 이목구비, 색. StyleGAN 논문(Karras 외 2019)의 세 구간입니다.",
  all: "모든 레이어",
  allTip: "스타일 그 자체입니다.",
  one: "무작위 레이어 하나",
  oneTip: "노드의 시드가 바뀔 때마다 새로 뽑습니다.",
  hairShape: "머리 모양",
  hairShapeTip:
    "1024px FFHQ 모델의 레이어 2–6. 발표된 결과: GANSpace(Härkönen 외 2020): 대머리 2–4, 곱슬 3–5, 헤어라인 4. StyleSpace(Wu 외 2021): 앞머리 2·3·4·6, 웨이브 3–5.",
  hairColour: "머리 색",
  hairColourTip:
    "1024px FFHQ 모델의 레이어 7–9. 발표된 결과: GANSpace(Härkönen 외 2020): 흰머리 7–9, 형태를 유지한 머리 색 7–8, 짙은 머리 8. StyleSpace(Wu 외 2021): 회색 7, 검정·금발 8.",
  warning: "마지막 실행의 경고",
  note: "마지막 실행의 알림",
  refused: "마지막 실행에서 이 노드가 빠진 이유",
  hairShapeOwnTip: "연결된 모델에서 머리 모양을 맡는 레이어입니다. 모델에 딸린 표를 따릅니다.",
  hairColourOwnTip: "연결된 모델에서 머리·피부·눈·입술의 색을 맡는 레이어입니다. 모델에 딸린 표를 따릅니다.",
  upload: "업로드할 W+ 파일 선택",
  uploadFailed: "{name}을(를) 업로드하지 못했습니다. W+ 코드 파일을 고르세요. W+ 저장의 .safetensors나 다른 도구의 .npz, .npy, .pt, PNG 그림입니다.",
  uploadTuning: "업로드할 튜닝 파일 선택",
  uploadTuningFailed: "{name}을(를) 업로드하지 못했습니다. 튜닝 저장으로 저장한 .safetensors 파일을 고르세요.",
  uploadDirections: "업로드할 방향 파일 선택",
  uploadDirectionsFailed: "{name}을(를) 업로드하지 못했습니다. 방향 파일을 고르세요. 방향 저장의 .safetensors나 다른 도구의 .npz, .npy, .pt입니다.",
  sort: "정리할 얼굴: 화살표 키로 큰 얼굴을 왼쪽이나 오른쪽에 놓고, 백스페이스로 마지막 것을 되돌립니다",
  sortStart: "얼굴 보기",
  sortHas: "있음: {count}",
  sortHasNot: "없음: {count}",
  sortLeft: "없음",
  sortRight: "있음",
  sortFace: "얼굴 {number}",
  sortBack: "얼굴 {number} 되돌리기",
  sortHalves: "얼굴 {number}: 없으면 왼쪽 절반, 있으면 오른쪽 절반을 클릭하세요",
  sortStrip: "이 방향이 평균 얼굴에 하는 일",
  sortFew: "셋씩, 되도록 열씩 정리하세요.",
  needsLayers: "이 모델의 레이어는 {count}개라서 쓸 수 없습니다. 더 큰 모델의 레이어입니다.",
};

/** @type {Record<string, Texts>} */
const LANGUAGES = { en, ko };

/**
 * The texts of a locale such as "ko" or "ko-KR", English where there are none.
 *
 * @param {string} locale
 */
export function textsFor(locale) {
  return LANGUAGES[String(locale).split(/[-_]/)[0]] ?? en;
}

/**
 * One text with its values filled in.
 *
 * @param {Texts} texts
 * @param {TextKey} key
 * @param {Record<string, unknown>} [values]
 */
export function say(texts, key, values = {}) {
  return texts[key].replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/**
 * An error of the grammar in words, without its place.
 *
 * @param {Texts} texts
 * @param {Pick<MaskError, "code" | "values">} error
 */
export function describe(texts, { code, values }) {
  return say(texts, code, values.found === "nothing" ? { ...values, found: texts.nothing } : values);
}
