/** What this pack uses of ComfyUI's page, which declares no types for packs. What older front ends lack is optional. */

declare module "*/scripts/api.js" {
  export const api: Comfy.Api;
}

declare module "*/scripts/app.js" {
  export const app: Comfy.App;
}

declare namespace Comfy {
  /** A picture that the server has. */
  type Picture = { filename: string; subfolder: string; type: string };

  /** What a node's run gave to the page: `ui` in Python. */
  interface Output {
    stylemix_messages?: [kind: "warning" | "note", text: string][];
    stylemix_masks?: string[];
    stylemix_num_ws?: number[];
    /** The name by which live pictures are asked for. */
    stylemix_live?: string[];
    stylemix_frames?: number[];
    stylemix_faces?: Picture[];
    stylemix_asked?: number[];
    stylemix_strip?: Picture[];
    stylemix_report?: string[];
    /** Parts of the picture (left, top, right, bottom, 0…1), and what they stand for in which widget of other nodes. */
    stylemix_picks?: { box: [number, number, number, number]; value: string; widget: string }[];
    images?: Picture[];
    /** Whether its pictures are films. */
    animated?: boolean[];
  }

  type NodeId = number | string;

  interface Link {
    origin_id: NodeId;
    origin_slot: number;
    target_id: NodeId;
    target_slot: number;
  }

  interface Slot {
    name: string;
    type: string;
  }

  interface Input extends Slot {
    link: number | null;
    /** Of the widget whose value a link replaces. */
    widget?: { name: string };
  }

  interface OutputSlot extends Slot {
    links: number[] | null;
  }

  interface Widget {
    name: string;
    value: unknown;
    label?: string;
    element?: HTMLElement;
    options: { values?: unknown };
    /** Whether the workflow keeps its value. */
    serialize?: boolean;
    /** Front ends with an app mode. */
    widgetId?: string;
    callback?: ((value: unknown) => void) | null;
  }

  interface DomWidgetOptions {
    /** Whether the prompt has its value. */
    serialize: boolean;
    hideInPanel: boolean;
    /** Names of events of the element that select the node. */
    selectOn: string[];
    getMinHeight(): number;
    getMaxHeight(): number;
    getValue(): string;
    setValue(value: string): void;
  }

  /** As much of a node as links need. */
  interface LinkedNode {
    graph: Graph | null;
    id: NodeId;
    comfyClass?: string;
    title: string;
    mode: number;
    inputs: Input[];
    outputs: OutputSlot[];
    widgets?: Widget[];
    /** Of a node that a graph inside stands for. */
    subgraph?: Subgraph;
    /** Reroutes and primitives of the page, which no prompt has. */
    isVirtualNode?: boolean;
    /** What an older page's node shows pictures with. */
    imgs?: HTMLImageElement[];
    findInputSlot(name: string): number;
    getInputLink(slot: number): Link | null;
  }

  interface SavedNode {
    type: string;
    title?: string;
    size: [width: number, height: number];
    widgets_values?: unknown[];
  }

  interface Node extends LinkedNode {
    pos: [x: number, y: number];
    size: [width: number, height: number];
    computeSize(): [width: number, height: number];
    connect(slot: number, target: Node, input: number): unknown;
    setSize(size: [width: number, height: number]): void;
    addWidget(type: "button", name: string, value: null, callback: () => void, options: object): Widget;
    addDOMWidget(name: string, type: string, element: HTMLElement, options: DomWidgetOptions): Widget;
    removeWidget(widget: Widget): void;
    onAdded?(): void;
    onRemoved?(): void;
    onConfigure?(saved: SavedNode): void;
    onConnectionsChange?(): void;
    onDragOver?(event: DragEvent): boolean;
    onDragDrop?(event: DragEvent): boolean;
    onExecuted?(output?: Output): void;
    onSerialize?(saved: SavedNode): void;
    getExtraMenuOptions?(canvas: Canvas, options: { content: string; callback(): void }[]): void;
  }

  interface Graph {
    id: string;
    nodes: LinkedNode[];
    rootGraph: RootGraph;
    /** Since front ends have subgraphs. */
    isRootGraph?: boolean;
    getLink(id: number): Link | null | undefined;
    getNodeById(id: NodeId): LinkedNode | null | undefined;
    setDirtyCanvas(foreground: boolean, background: boolean): void;
  }

  interface RootGraph extends Graph {
    subgraphs: Map<string, Subgraph>;
  }

  interface Subgraph extends Graph {
    inputs: { linkIds: number[] }[];
    outputs: { linkIds: number[] }[];
  }

  interface SavedGraph {
    nodes?: SavedNode[];
    groups?: { title: string }[];
    extra?: Record<string, unknown>;
  }

  interface Workflow extends SavedGraph {
    definitions?: { subgraphs?: SavedGraph[] };
  }

  /** What comes with the server's messages, one of them the pack's own; the last two are of the page itself. */
  interface Events {
    execution_start: { prompt_id: string };
    execution_cached: { nodes: string[] };
    executed: { node: string; display_node?: string; output: Output; prompt_id: string };
    /** A node's id; null at the end of a run. */
    executing: string | null;
    execution_error: unknown;
    execution_interrupted: unknown;
    stylemix_progress: { node: string; text: string };
    status: { exec_info?: { queue_remaining: number } } | null;
    graphChanged: unknown;
    promptQueued: unknown;
  }

  interface Api {
    addEventListener<Name extends keyof Events>(
      name: Name,
      listener: (event: { detail: Events[Name] }) => void,
      options?: { signal: AbortSignal },
    ): void;
    dispatchCustomEvent<Name extends keyof Events>(name: Name, detail: Events[Name]): void;
    apiURL(route: string): string;
    fetchApi(route: string, options?: RequestInit): Promise<Pick<Response, "ok" | "json">>;
  }

  /** Why the server does not run a node. */
  interface Refusal {
    type: string;
    message: string;
    details: string;
  }

  type Colors = Record<string, string>;

  interface Canvas {
    canvas: HTMLCanvasElement;
    graph: Graph & { add(node: Node): void; getNodeOnPos(x: number, y: number): Node | null };
    ds: { scale: number; offset: [x: number, y: number] };
    default_connection_color_byType: Colors;
    constructor: { link_type_colors: Colors };
    emitBeforeChange(): void;
    emitAfterChange(): void;
    setDirty(foreground: boolean, background: boolean): void;
    processMouseWheel(event: MouseEvent): void;
    processMouseDown(event: MouseEvent): void;
    processMouseMove(event: MouseEvent): void;
    processMouseUp(event: MouseEvent): void;
  }

  type Previews = Record<string, string[]>;

  /** The store of outputs and previews, which newer front ends have. */
  interface OutputStore {
    revokePreviewsByLocatorId?(place: string): void;
    nodePreviewImages?: Previews;
  }

  interface App {
    canvas: Canvas;
    graph?: Graph;
    rootGraph?: RootGraph;
    nodeOutputs: Record<string, Output>;
    /** nodeIds: of the output nodes to run; all without. */
    queuePrompt(number: number, batchCount: number, nodeIds?: string[]): Promise<unknown>;
    /** Of the last prompt, by the ids of nodes. */
    lastNodeErrors?: Record<string, { errors: Refusal[] }> | null;
    nodePreviewImages?: Previews;
    loadGraphData(workflow: Workflow, clean: boolean, restoreView: boolean, name: string): Promise<unknown>;
    /** What a file that is dropped on the canvas does. */
    handleFile(file: File): unknown;
    extensionManager: {
      setting: { get(id: string): string | undefined; set(id: string, value: unknown): void };
      toast: { add(message: { severity: string; summary: string; detail: string; life: number }): void };
      workflow?: { activeWorkflow?: { changeTracker?: { nodeOutputs: Record<string, Output> } } | null };
      /** Since front ends have a sidebar. */
      registerSidebarTab?(tab: {
        id: string;
        icon: string;
        title: string;
        tooltip: string;
        type: "custom";
        render(element: HTMLElement): void;
      }): void;
      /** Pinia's stores by their ids. */
      _p?: { _s?: Map<string, OutputStore> };
    };
    registerExtension(extension: {
      name: string;
      settings: {
        id: string;
        category?: string[];
        name: string;
        tooltip?: string;
        type: string;
        defaultValue: unknown;
      }[];
      setup(): void;
      beforeConfigureGraph(workflow: Workflow): void;
      onNodeOutputsUpdated(): void;
      nodeCreated(node: Node): void;
    }): void;
  }
}

/** The library of graphs, which every page has. */
declare const LiteGraph: {
  createNode(type: string): Comfy.Node | null;
  registered_node_types: Record<string, unknown>;
};
